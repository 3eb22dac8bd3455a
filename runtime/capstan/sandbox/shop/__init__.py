"""Pages for people: a small shop, the hosted payment page, and the widget that stands for the customer's part.

`pages`, `hosted` and `widget` have the routes, `files` gives out the HTML, scripts and drawings of this folder.
"""
