"""The names of `xinhe_geo`, and the package that each is loaded from."""

from .access import compare as compare
from .access import completeness as completeness
from .access import coverage as coverage
from .access import curve as curve
from .access import flips as flips
from .access import gaps as gaps
from .access import headlines as headlines
from .access import isochrones as isochrones
from .access import presence as presence
from .access import robustness as robustness
from .access import route as route
from .access import summary as summary
from .access import within as within
from .core import DataError as DataError
from .core import EnvironmentProblem as EnvironmentProblem
from .core import NetworkError as NetworkError
from .core import Profile as Profile
from .core import Rule as Rule
from .core import ScenarioError as ScenarioError
from .core import SitingError as SitingError
from .core import SourceError as SourceError
from .core import UnknownNameError as UnknownNameError
from .core import XinheError as XinheError
from .district import District as District
from .district import Scenario as Scenario
from .district import check as check
from .ledger import explain as explain
from .ledger import ledger as ledger
from .maps import draw as draw
from .maps import live as live
from .maps import picture as picture
from .network import WalkNetwork as WalkNetwork
from .renewal import balance as balance
from .renewal import parcels as parcels
from .renewal import problems as problems
from .renewal import programme as programme
from .report import brief as brief
from .report import receipt as receipt
from .report.paper import sheet as sheet
from .report.paper import survey as survey
from .siting import Siting as Siting
from .siting import sites as sites

__version__: str
__all__: list[str]
