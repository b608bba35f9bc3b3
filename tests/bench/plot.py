"""The same ratios as an SVG, by gnuplot."""

import subprocess

import figures
import goals
import report

COLOURS = {"bindfs": "#b0b0b0", "mergerfs": "#707070", "fast": "#1f77b4", "revocable": "#ff7f0e"}


def quoted(text):
    return '"' + text.replace('"', "'") + '"'


def block(name, rounds, rows, system):
    """A gnuplot data block: a line for each workload with median and quartiles."""
    lines = [f"${name} << END"]
    for index, row in enumerate(rows):
        found = figures.ratio(rounds, row.key, system)
        lines.append(f"{index} {found.median} {found.low} {found.high}" if found else f"{index} NaN NaN NaN")
    return lines + ["END"]


def script(rounds, systems, kind, output):
    """Text for gnuplot's standard input."""
    rows, others = report.measured_rows(rounds), [name for name in systems if name != "native"]
    width = 0.8 / max(len(others), 1)
    title = f"Time as a multiple of native time, {kind} (median and quartiles; red: goal)"
    lines = ["set terminal svg size 1200,560 font 'sans,12' background '#ffffff'",
             f"set output {quoted(str(output))}", f"set title {quoted(title)}",
             "set logscale y", "set grid ytics", "set yrange [0.5:*]",
             "set ytics (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 40, 80)", "set key outside top horizontal",
             "set style fill solid", "set pointintervalbox 0", "set bars 0.5",
             f"set xrange [-0.6:{len(rows) - 0.4}]", "set xtics rotate by -35 noenhanced",
             "set xtics (" + ", ".join(f"{quoted(row.title)} {index}" for index, row in enumerate(rows)) + ")"]
    parts = []
    for place, name in enumerate(others):
        lines += block(name, rounds, rows, name)
        shift, colour = (place - (len(others) - 1) / 2) * width, COLOURS[name]
        # boxes would begin at the lower edge of a logarithmic axis, and make 1 look like much
        parts.append(f"${name} using ($1+({shift})):(($2+1)/2):({width * 0.45}):(abs($2-1)/2) with boxxyerror "
                     f"lc rgb '{colour}' title {quoted(goals.TITLES[name])}")
        parts.append(f"${name} using ($1+({shift})):2:3:4 with yerrorbars lc rgb '#303030' ps 0 notitle")
        if name in goals.MODES:
            marks = [f"{index} {goals.goal(row.key, name)}" for index, row in enumerate(rows)]
            lines += [f"$goal_{name} << END", *marks, "END"]
            parts.append(f"$goal_{name} using ($1+({shift})):2:({width * 0.5}) with xerrorbars "
                         "lc rgb '#d62728' lw 3 ps 0 notitle")
    return "\n".join(lines + ["plot 1 with lines lc rgb '#303030' notitle, " + ", ".join(parts)]) + "\n"


def draw(rounds, systems, kind, output):
    """Whether there is one now: gnuplot need not be installed."""
    try:
        done = subprocess.run(["gnuplot"], input=script(rounds, systems, kind, output), capture_output=True, text=True)
    except FileNotFoundError:
        return False
    if done.returncode != 0:
        raise RuntimeError("gnuplot: " + done.stderr.strip()[-300:])
    return True
