"""Answers in other formats than JSON, each read into what JSON can hold. A bad one is a ValueError, whatever reads it.

`read_x` reads a body. Where something can be prepared when a file is loaded, `plan_x` does that and gives the reader.
"""
