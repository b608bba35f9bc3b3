"""From the values of each round to ratios, their medians and spread.

Rounds are a list of {workload: {system: value}}. A ratio is formed within a round, of values that were taken
within seconds of each other: what slows a machine down for minutes is then in both.
"""

import collections
import statistics

import goals

# Of one system in one workload: the median of its ratios to native, their quartiles, how many there are.
Ratio = collections.namedtuple("Ratio", "median low high count")


def values(rounds, key, system):
    found = (each.get(key, {}).get(system) for each in rounds)
    return [value for value in found if value is not None]


def ratios(rounds, key, system, base="native"):
    """One for every round in which both were measured."""
    pairs = ((each.get(key, {}).get(system), each.get(key, {}).get(base)) for each in rounds)
    return [value / other for value, other in pairs if value is not None and other]


def summary(numbers):
    """A Ratio, or None where there is nothing to sum up."""
    if not numbers:
        return None
    if len(numbers) == 1:
        return Ratio(numbers[0], numbers[0], numbers[0], 1)
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Ratio(middle, low, high, len(numbers))


def ratio(rounds, key, system, base="native"):
    return summary(ratios(rounds, key, system, base))


def reached(rounds, key, mode):
    """Whether a goal is: True, False, or None when it was not measured."""
    found = ratio(rounds, key, mode)
    return None if found is None else found.median <= goals.goal(key, mode)


def faster(rounds, key, mode, rival):
    """Whether Guildfs is faster than another system: "yes", "no", or "even" when the quartiles of the rounds do
    not agree on it. None when it was not measured."""
    found = ratio(rounds, key, mode, rival)
    if found is None:
        return None
    if found.low < 1.0 < found.high and found.count > 1:
        return "even"
    return "yes" if found.median < 1.0 else "no"


def order(systems, number):
    """The systems in the order of round `number`: another one begins each time, and every other round runs
    backwards, so that none always comes after the same one."""
    start = number % len(systems)
    turned = list(systems[start:]) + list(systems[:start])
    return turned[::-1] if number % 2 else turned
