/** The style of the documentation page. It is part of the page, so that the page needs no other file. */
export const pageStyle = `
:root { color-scheme: light dark; --ink: #1d2327; --quiet: #5b6770; --line: #dfe3e6; --paper: #fff; --code: #f4f6f7;
  --get: #1864ab; --post: #2b7a3d; --delete: #b02a37 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --quiet: #9aa7b1; --line: #343c43; --paper: #16191c;
  --code: #20262b; --get: #74b0ea; --post: #7ccf90; --delete: #f08b95 } }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, "Segoe UI", sans-serif }
a { color: inherit }
code, pre { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
code { overflow-wrap: anywhere }
pre { margin: .5rem 0; padding: .75rem 1rem; overflow-x: auto; background: var(--code); border-radius: 6px }
.layout { display: grid; grid-template-columns: 15rem minmax(0, 52rem); gap: 3rem; max-width: 74rem; margin: 0 auto;
  padding: 0 1.5rem 6rem }
nav { position: sticky; top: 0; max-height: 100vh; overflow-y: auto; padding: 2rem 0; font-size: .9rem }
nav ul { list-style: none; margin: 0 0 .75rem; padding: 0 }
nav li a { display: block; padding: .05rem 0; color: var(--quiet); text-decoration: none }
nav a:hover { text-decoration: underline }
nav strong a { text-decoration: none }
h1 { margin: 2rem 0 .5rem; font-size: 2.25rem; line-height: 1.2; letter-spacing: -.02em }
h2 { margin: 4rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.5rem }
h3 { margin: 2.5rem 0 .25rem; font-size: 1.1rem }
h4 { margin: 1.25rem 0 .25rem; font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--quiet) }
p { margin: .25rem 0 .75rem }
.route { display: flex; gap: .6rem; align-items: baseline; margin: .25rem 0 .5rem }
.method { font-weight: 700; font-size: .8rem; text-transform: uppercase }
.get { color: var(--get) } .post { color: var(--post) } .delete { color: var(--delete) }
table { width: 100%; border-collapse: collapse; font-size: .9rem }
td { padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); vertical-align: top }
td:first-child { width: 16rem } td.type { width: 9rem; color: var(--quiet) }
.inner { padding-left: 1rem } .required { color: var(--delete); font-size: .8rem }
details { border-top: 1px solid var(--line); padding: .35rem 0 } details:last-of-type { border-bottom: 1px solid var(--line) }
summary { cursor: pointer } details > :not(summary) { margin-left: 1rem }
.status { display: inline-block; width: 2.75rem; font-weight: 700 }
@media (max-width: 50rem) { .layout { display: block } nav { position: static; max-height: none } }
@media print { nav { display: none } .layout { display: block } }
`;
