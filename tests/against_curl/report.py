"""The results as text: for the terminal, and for the file that is kept."""

from .differences import HEADERS


def counts(results):
    found = {}
    for result in results:
        found[result.verdict] = found.get(result.verdict, 0) + 1
    return found


def table(results, skipped, took):
    width = max((len(result.case.name) for result in results), default=0)
    lines = [
        f"{result.case.name:{width}}  {result.took:5.2f} s  {result.verdict}" for result in results
    ]
    lines += [f"SKIPPED {name}: {why}" for name, why in skipped]
    lines.append("")
    for result in results:
        for aspect, reason in result.argued.items():
            lines.append(f"{result.case.name}, {aspect}: {reason}")
    summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts(results).items()))
    lines += ["", f"{len(results)} cases in {took:.0f} s: {summary}; {len(skipped)} skipped"]
    return "\n".join(lines)


def markdown(results, skipped, curl):
    found = counts(results)
    lines = [
        "# fetch against curl",
        "",
        "Written by `tests/fetch_against_curl.py --report tests/fetch_against_curl.md`; how, it says",
        f"itself. The curl was {curl}.",
        "",
        f"Of {len(results)} invocations {found.get('alike', 0)} were alike and",
        f"{found.get('argued', 0)} differed where a reason says why;",
        f"{len(results) - found.get('alike', 0) - found.get('argued', 0)} differed without one and",
        f"{len(skipped)} were skipped.",
        "",
        "## Differences",
        "",
        "In any case:",
        "",
    ]
    lines += [f"- `{name}`: {rule.reason}" for name, rule in HEADERS.items()]
    lines += ["", "| case | what differs | why |", "|---|---|---|"]
    for result in results:
        reasons = {}
        for aspect, reason in result.argued.items():
            reasons.setdefault(reason, []).append(aspect)
        for reason, aspects in reasons.items():
            lines.append(f"| {cell(result.case.name)} | {', '.join(aspects)} | {cell(reason)} |")
    lines += ["", "## Invocations", "", "| case | arguments | |", "|---|---|---|"]
    for result in results:
        command = f"`{cell(result.case.command)}`" if result.case.command else ""
        lines.append(f"| {cell(result.case.name)} | {command} | {result.verdict} |")
    for name, why in skipped:
        lines.append(f"| {cell(name)} | skipped: {cell(why)} | |")
    return "\n".join(lines) + "\n"


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")
