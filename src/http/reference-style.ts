/** The page's one stylesheet. Its hash stands in the page's Content-Security-Policy, so no attribute may hold a style. */
export const REFERENCE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d8dee4; --box: #f6f8fa; --link: #0b5cad;
  --good: #1a7f37; --bad: #b42318; --warn: #9a5b00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --text: #e3e7eb; --quiet: #9aa4af; --line: #333b44; --box: #1d2228; --link: #7fb8ff;
    --good: #56c271; --bad: #ff8a80; --warn: #e2b054;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: 2px; }
a:focus-visible, summary:focus-visible, pre:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; }
code { background: var(--box); padding: 0.1em 0.3em; border-radius: 4px; }
pre { background: var(--box); padding: 0.75rem; border-radius: 6px; overflow-x: auto; overflow-wrap: normal; margin: 0.5rem 0; }
small { color: var(--quiet); font-size: 0.8125rem; }
p { margin: 0.25rem 0 0.5rem; max-width: 46rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 0.75rem; }
h2 { font-size: 1.25rem; margin: 3rem 0 0.5rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }
h2::first-letter { text-transform: uppercase; }
h3 { font-size: 1.0625rem; margin: 0 0 0.25rem; }
h4 { font-size: 0.8125rem; margin: 1.25rem 0 0.25rem; color: var(--quiet); }
main { padding: 1.5rem 1rem 6rem; min-width: 0; max-width: 60rem; }
nav { padding: 1rem; border-bottom: 1px solid var(--line); font-size: 0.875rem; }
nav .brand { font-weight: 700; font-size: 1rem; }
nav .brand span { color: var(--quiet); font-weight: 400; }
nav p { margin: 0.75rem 0 0; }
nav p a { display: block; font-weight: 600; }
nav p a::first-letter { text-transform: uppercase; }
nav ul { list-style: none; margin: 0; padding: 0; display: none; }
nav li a { display: grid; grid-template-columns: 2.5rem minmax(0, 1fr); align-items: baseline; padding: 0.125rem 0; color: var(--text); text-decoration: none; }
nav li small { font-size: 0.6875rem; }
nav li a:hover { text-decoration: underline; }
article { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 1rem 0; }
.route { display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; align-items: baseline; }
.route b { color: var(--good); }
.schema-name { font-family: ui-monospace, monospace; }
dl { margin: 0.5rem 0; }
dt { margin-top: 0.75rem; }
dd { margin: 0; }
.type { color: var(--quiet); font-size: 0.875rem; margin: 0; }
.fields, .variants { border-left: 2px solid var(--line); padding-left: 0.75rem; margin: 0.25rem 0 0.5rem; }
.variants { list-style: none; }
.variants > li + li { margin-top: 0.75rem; padding-top: 0.5rem; border-top: 1px dashed var(--line); }
.body { margin: 0.25rem 0 0.5rem; }
.body > p { margin-bottom: 0; }
.body > p > code { background: none; padding: 0; color: var(--quiet); }
.answers { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.25rem 0.75rem; }
.answers > dt { margin: 0; padding-top: 0.25rem; }
.answers > dd > p { margin-bottom: 0.25rem; }
.status { font-variant-numeric: tabular-nums; color: var(--bad); }
.s2, .s3 { color: var(--good); }
.s4 { color: var(--warn); }
summary { cursor: pointer; color: var(--link); font-size: 0.875rem; }
@media (min-width: 60rem) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border-right: 1px solid var(--line); border-bottom: 0; }
  nav ul { display: block; }
  main { padding: 2rem 2.5rem 6rem; }
}
`;
