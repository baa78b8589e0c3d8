"""How the report's page looks: one style sheet, for screens light and dark, and for paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fcfcfa; --ink: #1b1d22; --muted: #62666e; --rule: #dcdcd6; --tint: #f2f2ee; --link: #1f5f9c;
  --c0: #858a93; --c1: #c4501b; --c2: #1f6fb2; --c3: #12876a;
  --c4: #8a4fa3; --c5: #a87b00; --c6: #3d4a9c; --c7: #a33a5e;
  --serif: "Source Serif 4", "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --ink: #e4e4e0; --muted: #9aa0a8; --rule: #33373d; --tint: #1e2125; --link: #82b8ec;
    --c0: #9298a2; --c1: #ee8a5c; --c2: #6cb0ee; --c3: #4cc2a0;
    --c4: #c397dc; --c5: #dfb448; --c6: #97a4f0; --c7: #e58aac;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 17px/1.55 var(--serif); font-kerning: normal; text-rendering: optimizeLegibility;
}
main, header, footer { max-width: 61rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 4rem; }
h1 { font-size: 2.35rem; line-height: 1.15; font-weight: 600; margin: 0 0 .6rem; text-wrap: balance; }
.subtitle { color: var(--muted); font: 15px/1.5 var(--sans); margin: 0; }
nav { margin: 2rem 0 0; padding: .8rem 0; border-block: 1px solid var(--rule); font: 14px/1.7 var(--sans); }
nav a { margin-right: 1.4em; white-space: nowrap; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; text-underline-offset: .2em; }
section { margin: 3.4rem 0 0; }
section section { margin-top: 2.4rem; }
h2 { font-size: 1.6rem; line-height: 1.25; font-weight: 600; margin: 0 0 1rem; text-wrap: balance; }
h2 .count { color: var(--muted); font-weight: 400; margin-right: .6em; }
h3 { font-size: 1.2rem; line-height: 1.3; font-weight: 600; margin: 0 0 .8rem; }
h4 { font-size: 1rem; margin: 0 0 .6rem; }
p, ul { max-width: 43rem; margin: 0 0 1rem; }
ul { padding-left: 1.2em; }
li { margin: .35rem 0; }
li::marker { color: var(--muted); }
code { font: .84em var(--mono); }
pre {
  font: 12.5px/1.55 var(--mono); background: var(--tint); border-radius: 4px; padding: .9rem 1.1rem;
  margin: 0 0 1.2rem;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
figure { margin: 2rem 0 2.4rem; }
figcaption, .caption {
  font: 14px/1.5 var(--sans); color: var(--muted); max-width: 47rem; margin: .8rem 0 0; text-wrap: pretty;
}
.caption { margin: 0 0 .6rem; }
figcaption b, .caption b { color: var(--ink); font-weight: 600; }
figure svg, figure img { display: block; width: 100%; height: auto; }
figure svg text { font-family: var(--sans); }
figure img.small { width: auto; max-width: 100%; }
figure img.tall { max-width: 34rem; }
.white { background: #fff; border-radius: 4px; padding: 6px; width: fit-content; }
.scroll { overflow-x: auto; }
.scroll > svg { min-width: 40rem; }
.table { margin: 1.8rem 0 2.2rem; }
table {
  border-collapse: collapse; width: 100%; border-block: 1.5px solid var(--ink);
  font: 14px/1.35 var(--sans); font-variant-numeric: tabular-nums lining-nums;
}
thead th { border-bottom: 1px solid var(--ink); vertical-align: bottom; padding: .5rem .4rem; }
th { text-align: left; font-weight: 400; }
thead th { font-weight: 600; }
tbody th, tbody td { border-top: 1px solid var(--rule); vertical-align: top; padding: .5rem .4rem; }
tbody tr:first-child > * { border-top: 0; }
tbody tr.on > * { border-top-color: transparent; padding-top: .1rem; }
th.word, td.word { text-align: left; }
th.number, td.number { text-align: right; }
th:first-child, td:first-child { padding-left: 0; min-width: 10.5rem; }
th:last-child, td:last-child { padding-right: 0; }
td small, th small { display: block; font-size: 12px; color: var(--muted); font-weight: 400; }
td.number small { white-space: nowrap; }
.notes { font: 13px/1.5 var(--sans); color: var(--muted); max-width: 47rem; margin: .6rem 0 0; }
details { margin: 0 0 1rem; }
summary { cursor: pointer; font: 15px/1.6 var(--sans); color: var(--link); }
details[open] > summary { margin-bottom: .6rem; }
details > figure:first-of-type { margin-top: 1rem; }
footer { margin-top: 4rem; padding-block: 1.2rem 3rem; font: 13px/1.5 var(--sans); color: var(--muted); }
@media (max-width: 46rem) {
  body { font-size: 16px; }
  header { padding-top: 2rem; }
  h1 { font-size: 1.8rem; }
  main, header, footer { padding-inline: 1rem; }
  table { font-size: 13px; }
}
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --ink: #000; --muted: #555; --rule: #ccc; --tint: #f4f4f4; --link: #000;
    --c0: #858a93; --c1: #c4501b; --c2: #1f6fb2; --c3: #12876a;
  --c4: #8a4fa3; --c5: #a87b00; --c6: #3d4a9c; --c7: #a33a5e;
  }
  @page { margin: 16mm 15mm; }
  body { font-size: 10.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  header { padding-top: 0; }
  nav { display: none; }
  h2, h3, h4, .caption, summary { break-after: avoid; }
  figure, .table, tr, pre, li { break-inside: avoid; }
  p, li { orphans: 3; widows: 3; }
  table { font-size: 8.5pt; }
  td small, th small { font-size: 7.5pt; }
  .scroll { overflow: visible; }
  .scroll > svg { min-width: 0; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { color: inherit; list-style: none; font-weight: 600; }
}
"""
