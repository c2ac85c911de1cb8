"""The look of the report on screen, telephone and paper."""

from __future__ import annotations

CSS = """
:root { color-scheme: light; --ink: #1c2430; --muted: #5a6472; --line: #d9dee5; --soft: #f5f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 68rem; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header p { margin: 0; color: var(--muted); overflow-wrap: anywhere; }
h1 { margin: 0 0 .2rem; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2.4rem 0 .7rem; font-size: 1.15rem; }
.verdict { margin: 1.2rem 0; padding: 1rem 1.2rem; border-left: .4rem solid var(--muted); background: var(--soft);
  font-size: 1.08rem; }
.verdict strong { display: block; font-size: 1.25rem; }
.agreement { border-color: #009e73; }
.watch { border-color: #f0e442; }
.mild { border-color: #e69f00; }
.strong { border-color: #d55e00; }
.undecided, .uncalibrated, .failed { border-color: #666; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th { width: 14rem; color: var(--muted); font-weight: 500; }
.cautions { margin: 0; padding: .7rem 1rem .7rem 2rem; border: 1px solid #e8c46a; background: #fffaeb;
  overflow-wrap: anywhere; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }
table + .pictures, .scroll + .pictures { margin-top: 1.2rem; }
.pictures figure:last-child:nth-child(odd) { grid-column: 1 / -1; }
.yield { margin: 0 0 1.2rem; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; max-width: 40rem; margin: 0 auto; }
figcaption { color: var(--muted); font-size: .88rem; line-height: 1.45; }
figcaption strong { display: block; color: var(--ink); overflow-wrap: anywhere; }
pre { margin: 0; padding: .8rem 1rem; background: var(--soft); border: 1px solid var(--line); font-size: .85rem;
  line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; }
pre span { display: inline-block; }
ul.plain { margin: 0; padding-left: 1.2rem; }
footer { margin-top: 2.5rem; color: var(--muted); font-size: .85rem; }
.columns { margin: 1rem 0; }
.columns th, .columns td { width: auto; overflow-wrap: break-word; }
h3 { margin: 1.4rem 0 .4rem; font-size: 1rem; }
.whole th { white-space: nowrap; overflow-wrap: normal; width: 1%; }
.scroll { overflow-x: auto; }
.wide .columns th, .wide .columns td { white-space: nowrap; }
.mark { font-weight: 600; box-shadow: inset .3rem 0 var(--muted); white-space: nowrap; }
.mark.agreement { box-shadow: inset .3rem 0 #009e73; font-weight: 400; }
.mark.watch { box-shadow: inset .3rem 0 #f0e442; background: #fffde6; }
.mark.mild { box-shadow: inset .3rem 0 #e69f00; background: #fff6e3; }
.mark.strong { box-shadow: inset .3rem 0 #d55e00; background: #fdece2; }
.columns td.mark { padding-left: .8rem; border-color: var(--line); }
.now { margin: -.6rem 0 1.2rem; }
.leading figure { max-width: 38rem; margin: 0 auto; }
@media (max-width: 40rem) {
  th, td { display: block; width: auto; padding: .1rem 0; border: 0; }
  th { padding-top: .5rem; font-size: .88rem; }
  td { padding-bottom: .5rem; border-bottom: 1px solid var(--line); }
  .columns th, .columns td { display: table-cell; padding: .3rem; border-bottom: 1px solid var(--line);
    font-size: .82rem; }
  .cards .head { display: none; }
  .cards tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .cards th, .cards td { display: block; padding: .05rem 0; border: 0; font-size: .88rem; }
  .cards td:empty { display: none; }
  .cards td::before { content: attr(data-label) ": "; color: var(--muted); font-weight: 400; }
  .wide .cards th, .wide .cards td { white-space: normal; }
  body { padding: 1rem .6rem 2rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .verdict, .cautions, .mark, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3 { break-after: avoid; }
  h2 { margin-top: 1.4rem; }
  th, td { padding: .22rem .6rem; }
  figcaption { font-size: 8.5pt; line-height: 1.35; }
  .pictures figure img { max-width: 7.5cm; }
  .leading figure img, .pictures figure:last-child:nth-child(odd) img { max-width: 10.5cm; }
  footer { margin-top: 1rem; break-before: avoid; }
  .pictures { grid-template-columns: 1fr 1fr; gap: 1rem; }
  .scroll { overflow: visible; }
  .wide .columns th, .wide .columns td { white-space: normal; }
  tr, .verdict, .cautions { break-inside: avoid; }
}
"""
