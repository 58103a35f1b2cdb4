import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { useSession } from '../data/session-store.js';
import { Dialog } from './dialog.js';
import classes from './shortcuts.module.css';
import { VIEWS } from './views.js';

const KEPT_AS = 'outbox-monitor-shortcuts';
/** A form that finds one thing by its id, or that acts, is none. */
const FIRST_OF_FILTER = 'main form[aria-label^="Filter: "] :is(input, select)';
/** Between g and the letter behind it. */
const SEQUENCE_MS = 1_500;

/**
 * The page's keys. Off in fields and dialogs, with any other key held, and for good where a person says so (WCAG
 * 2.1.4).
 */
export function Shortcuts({ help, onHelp }: { readonly help: boolean; readonly onHelp: (open: boolean) => void }) {
  const session = useSession();
  const [, navigate] = useLocation();
  const [on, setOn] = useState(readSetting);
  useEffect(() => {
    if (!on) return undefined;
    let goAt = 0;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event.target)) return;
      const sequence = performance.now() - goAt < SEQUENCE_MS;
      goAt = 0;
      const view = sequence ? VIEWS.find(({ key, why }) => key === event.key && why(session) === null) : undefined;
      if (view !== undefined) navigate(view.path);
      else if (event.key === 'g') goAt = performance.now();
      else if (event.key === '?') onHelp(true);
      else if (event.key === '/') focusFirst(FIRST_OF_FILTER);
      else if (event.key === 'j') focusRow(1);
      else if (event.key === 'k') focusRow(-1);
      else if (event.key === 'r') document.querySelector<HTMLElement>('main [data-redrive]')?.click();
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [on, session, navigate, onHelp]);
  if (!help) return null;
  const set = (next: boolean) => {
    keepSetting(next);
    setOn(next);
  };
  return (
    <Dialog title="Keys" onClose={() => onHelp(false)}>
      <label className={classes.setting}>
        <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
        These keys are on
      </label>
      <dl className={classes.keys}>
        {VIEWS.filter(({ why }) => why(session) === null).map(({ key, label }) => (
          <Key key={key} keys={['g', key]} does={label} />
        ))}
        <Key keys={['/']} does="To the first field of the filter" />
        <Key keys={['j']} does="To the next row" />
        <Key keys={['k']} does="To the row before" />
        <Key keys={['Enter']} does="Open the row" />
        <Key keys={['r']} does="Open the form for a redrive; it asks before it acts" />
        <Key keys={['Esc']} does="Close a dialog" />
        <Key keys={['?']} does="This list" />
      </dl>
    </Dialog>
  );
}

function Key({ keys, does }: { readonly keys: readonly string[]; readonly does: string }) {
  return (
    <div className={classes.key}>
      <dt>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{does}</dd>
    </div>
  );
}

/** A field takes its keys itself, and behind a dialog nothing happens. */
function isTaken(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  return target instanceof HTMLElement && target.closest('input, select, textarea, [contenteditable]') !== null;
}

function focusFirst(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.focus();
}

function focusRow(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main a[data-row]')];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[at === -1 ? (by === 1 ? 0 : rows.length - 1) : at + by]?.focus();
}

function readSetting(): boolean {
  try {
    return window.localStorage.getItem(KEPT_AS) !== 'off';
  } catch {
    // A browser may refuse to keep anything: then they are on.
    return true;
  }
}

function keepSetting(on: boolean): void {
  try {
    window.localStorage.setItem(KEPT_AS, on ? 'on' : 'off');
  } catch {
    // As above: it holds until the page is loaded again.
  }
}
