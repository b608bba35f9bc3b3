"""The Markdown of one filesystem's results."""

import figures
import goals


def number(value):
    """Three digits that mean something."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def ratio_cell(found):
    if found is None:
        return "–"
    spread = f" ({number(found.low)}–{number(found.high)})" if found.count > 1 else ""
    return number(found.median) + spread


def measured_rows(rounds):
    return [row for row in goals.ROWS if any(row.key in each for each in rounds)]


def ratio_table(rounds, systems):
    others = [name for name in systems if name != "native"]
    head = ["workload", "native"] + [goals.TITLES[name] for name in others]
    rows = []
    for row in measured_rows(rounds):
        native = figures.summary(figures.values(rounds, row.key, "native"))
        rows.append([row.title, f"{number(native.median)} {row.unit}" if native else "–"]
                    + [ratio_cell(figures.ratio(rounds, row.key, name)) for name in others])
    return table(head, rows)


def answer(value):
    return {True: "yes", False: "**no**", None: "–", "yes": "yes", "no": "**no**", "even": "even"}[value]


def goal_table(rounds, mode):
    rows = []
    for row in measured_rows(rounds):
        found = figures.ratio(rounds, row.key, mode)
        if found is not None:
            rows.append([row.title, f"≤ {goals.goal(row.key, mode)}", number(found.median),
                         answer(figures.reached(rounds, row.key, mode))]
                        + [answer(figures.faster(rounds, row.key, mode, rival)) for rival in goals.RIVALS])
    return table(["workload", "goal", "ratio", "reached", "faster than bindfs", "faster than mergerfs"], rows)


def fact_table(facts):
    rows = []
    for each in facts:
        value = each["value"]
        shown = number(value) if isinstance(value, float) else str(value)
        rows.append([each["what"], goals.TITLES[each["mode"]], f"{shown} {each['unit']}".strip(), each["goal"] or "–",
                     answer(each["reached"])])
    return table(["what", "mode", "value", "goal", "reached"], rows)


def tally(rounds, mode):
    """One line: how many goals are reached, and how many of the rows that say so are faster than both others."""
    keys = [row.key for row in measured_rows(rounds) if figures.ratio(rounds, row.key, mode)]
    reached = sum(figures.reached(rounds, key, mode) for key in keys)
    answers = [{figures.faster(rounds, key, mode, rival) for rival in goals.RIVALS} for key in keys]
    compared = [each for each in answers if None not in each]
    text = f"{goals.TITLES[mode]}: {reached} of {len(keys)} goals reached"
    return text + (f"; faster than both others in {compared.count({'yes'})} of {len(compared)} rows." if compared else ".")


def heading(results, kind):
    settings = results["settings"]
    where = "in the scratch directory" if kind == "host" else f"{kind} in a loop file"
    lines = [f"# Guildfs beside native, bindfs and mergerfs: {kind}", "",
             f"Measured by `scripts/bench` on {results['made']}, {where}; "
             f"{settings['authorizations']:,} authorizations in the store; {settings['rounds']} interleaved rounds after one that does not count; transport: "
             f"{settings['transport']}. [README.md](README.md) says what each workload is and how to read this."]
    if settings["quick"]:
        lines += ["", "**A quick run: small amounts, few rounds. Not for comparing.**"]
    return lines + [""] + table(["", ""], [[key, value] for key, value in results["machine"].items() if value])


def markdown(results, kind, plot=None):
    measured = results["filesystems"][kind]
    rounds, systems = measured["rounds"], results["settings"]["systems"]
    modes = [mode for mode in goals.MODES if mode in systems]
    lines = heading(results, kind)
    if rounds:
        lines += ["", "## Time as a multiple of native time", "",
                  "Median of the rounds' ratios, and the quartiles between which half of them lie.", ""]
        lines += [f"![ratios to native]({plot})", ""] if plot else []
        lines += ratio_table(rounds, systems)
        for mode in modes:
            lines += ["", f"## Goals: {goals.TITLES[mode]}", "", tally(rounds, mode), "", *goal_table(rounds, mode)]
    if measured["facts"]:
        lines += ["", "## Many views, many inodes", "", *fact_table(measured["facts"])]
    if measured["failures"]:
        lines += ["", "## Failed", ""] + [f"- {each}" for each in measured["failures"]]
    return "\n".join(lines) + "\n"
