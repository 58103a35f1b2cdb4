import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useSession } from '../data/session-store.js';
import { signOut } from '../data/sign-in.js';
import { useApiVersion, useLink } from '../data/stream.js';
import { Announcer } from './announcer.js';
import { Hostile } from './hostile.js';
import { Icon } from './icon.js';
import { Notice } from './notice.js';
import classes from './shell.module.css';
import { Shortcuts } from './shortcuts.js';
import { StaleBanner } from './stale-banner.js';
import { Status } from './status.js';
import { VIEWS, viewOf } from './views.js';

/** What stands around every view. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const [help, setHelp] = useState(false);
  return (
    <>
      <a href="#main" className={classes.skip}>
        Skip to the content
      </a>
      <header className={classes.bar}>
        <span className={classes.brand}>Outbox monitor</span>
        <Navigation />
        <div className={classes.person}>
          <LinkState />
          <Person />
          <Button variant="subtle" onClick={() => setHelp(true)}>
            Keys
          </Button>
          <SchemeButton />
        </div>
      </header>
      <main id="main" className={classes.main}>
        <Banners />
        {children}
      </main>
      <Shortcuts help={help} onHelp={setHelp} />
      <Announcer />
    </>
  );
}

function Navigation() {
  const session = useSession();
  const [path] = useLocation();
  const here = viewOf(path);
  return (
    <nav aria-label="Views">
      <ul className={classes.views}>
        {VIEWS.filter(({ why }) => why(session) === null).map((view) => (
          <li key={view.path}>
            <Link href={view.path} className={classes.view} aria-current={view === here ? 'page' : undefined}>
              {view.label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Whether what is shown is as of now. */
function LinkState() {
  const { phase, stale } = useLink();
  if (phase === 'idle') return null;
  if (stale) return <Status of={{ word: 'Stale', tone: 'bad', shape: 'warning' }} />;
  if (phase === 'open') return <Status of={{ word: 'Live', tone: 'good', shape: 'check' }} />;
  return <Status of={{ word: 'Connecting', tone: 'quiet', shape: 'clock' }} />;
}

function Person() {
  const { name, role } = useSession();
  return (
    <>
      <span className={classes.name}>
        <Hostile text={name} /> <span className="dim">({role})</span>
      </span>
      <Button variant="default" onClick={() => void signOut()}>
        Sign out
      </Button>
    </>
  );
}

function SchemeButton() {
  // With transitions kept: Mantine would stop them by a `<style>`.
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const other = useComputedColorScheme('light') === 'light' ? 'dark' : 'light';
  const label = `Show the page ${other}`;
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={label} title={label} onClick={() => setColorScheme(other)}>
      <Icon name={other} />
    </ActionIcon>
  );
}

function Banners() {
  const session = useSession();
  const running = useApiVersion();
  return (
    <>
      <StaleBanner />
      {!session.checked && (
        <Notice tone="unknown" urgent>
          <p>Your sign-in cannot be looked up now: you can look, and changes are refused until it can.</p>
        </Notice>
      )}
      {running !== null && running !== session.version && (
        <Notice tone="info">
          <p>The api is of another version than this page.</p>
          <div>
            <Button variant="default" onClick={() => window.location.reload()}>
              Load it again
            </Button>
          </div>
        </Notice>
      )}
    </>
  );
}
