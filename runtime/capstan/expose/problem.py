from capstan.call.problem import PROBLEM_TYPE as PROBLEM_TYPE
from capstan.call.problem import internal_problem as internal_problem
from capstan.call.problem import problem_of as problem_of
from capstan.call.problem import status_of as status_of
