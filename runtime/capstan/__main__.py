"""python -m capstan"""

from capstan.cli import run

run()
