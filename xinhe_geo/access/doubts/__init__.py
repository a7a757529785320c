"""How firm it is: facts in doubt, the range they leave, what a single loss would do, and which facts would turn a verdict."""

from .checks import Visits, worth_checking
from .differences import differences
from .facts import facts_in_doubt
from .flips import flips
from .robustness import doubted, robustness
from .stress import LOSSES, stress
