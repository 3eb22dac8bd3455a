"""What the author wrote, as frozen classes: the spellings of every family folded into one.

Nothing here is resolved: a `call` is still two names, a `{{KEY}}` still a hole. Everything an error message may need
to point at keeps its Place.
"""

from capstan.load.model.capability import *
from capstan.load.model.common import *
from capstan.load.model.consumed import *
from capstan.load.model.content import *
from capstan.load.model.exposed import *
from capstan.load.model.unit import *
