import { Button, PasswordInput, TextInput } from '@mantine/core';
import { type SyntheticEvent, useEffect, useState } from 'react';
import type { SignIn } from '../../../contract/monitor-api.js';
import { RequestError } from '../../data/request.js';
import type { SessionState } from '../../data/session-store.js';
import { lookUpSession, saysWhatIsAway, signIn } from '../../data/sign-in.js';
import { Choice } from '../../parts/choice.js';
import { ErrorBox } from '../../parts/error-box.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';
import { ViewTitle } from '../../parts/view-title.js';
import classes from './sign-in-view.module.css';

export interface SignInViewProps {
  readonly why: string | null;
  readonly away: Extract<SessionState, { kind: 'out' }>['away'];
}

type Kind = 'key' | 'password';

const KINDS = [
  ['key', 'Use a key'],
  ['password', 'Use an account'],
] as const;

/** While nobody can be looked up: whoever has a session is let in as soon as that can be. */
const ASKED_AGAIN_MS = 5_000;

/** Who somebody is. What is typed goes into the request's body and nowhere else, and is cleared at once. */
export function SignInView({ why, away }: SignInViewProps) {
  const [kind, setKind] = useState<Kind>('key');
  const [name, setName] = useState('');
  const [secret, setSecret] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);

  useEffect(() => {
    if (away === null) return undefined;
    let timer = 0;
    let over = false;
    // One at a time: each may take as long as a request may.
    const ask = async () => {
      await lookUpSession();
      if (!over) timer = window.setTimeout(ask, ASKED_AGAIN_MS);
    };
    timer = window.setTimeout(ask, ASKED_AGAIN_MS);
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [away]);

  const send = async (word: SignIn) => {
    setBusy(true);
    setSecret('');
    try {
      await signIn(word);
    } catch (cause) {
      setError(cause instanceof Error ? cause : new Error(String(cause)));
      setBusy(false);
    }
  };
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (busy || secret === '' || (kind === 'password' && name === '')) return;
    setError(null);
    void send(kind === 'key' ? { key: secret.trim() } : { name: name.trim(), password: secret });
  };

  return (
    <main className={classes.main}>
      <ViewTitle title="Sign in">
        <p className="dim">To see the outbox, and to act on it.</p>
      </ViewTitle>
      {why !== null && (
        <Notice tone="info" urgent>
          <p>
            <Hostile text={why} />
          </p>
          {away !== null && <p>It is asked again by itself.</p>}
        </Notice>
      )}
      <form className={classes.form} onSubmit={submit}>
        <Choice legend="Sign in with" options={KINDS} value={kind} onChange={setKind} />
        {kind === 'password' && (
          <TextInput
            label="Name"
            size="sm"
            autoComplete="username"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        )}
        <PasswordInput
          label={kind === 'key' ? 'API key' : 'Password'}
          description={kind === 'key' ? 'One with the scope dlq:read, dlq:write or audit:read' : undefined}
          visibilityToggleButtonProps={{ 'aria-label': 'Show what is typed' }}
          autoComplete={kind === 'key' ? 'off' : 'current-password'}
          required
          value={secret}
          onChange={(event) => setSecret(event.currentTarget.value)}
        />
        {error !== null && <ErrorBox error={error} what="You are not signed in" />}
        {(away === 'no api' || isApiAway(error)) && <WithoutThePage />}
        <Button type="submit" size="sm" loading={busy}>
          Sign in
        </Button>
      </form>
    </main>
  );
}

/** It is not for what was typed that nobody is let in, and nobody has said what works. */
function isApiAway(error: Error | null): boolean {
  return error instanceof RequestError && (error.status === 0 || error.status >= 500) && !saysWhatIsAway(error);
}

/** What does not need the api, nor anybody to be signed in. */
function WithoutThePage() {
  return (
    <Notice tone="info">
      <p>
        Without the page: <code>outbox status</code>, <code>outbox dlq</code> and <code>outbox destinations pause</code>
        , on a machine with <code>OUTBOX_DATABASE_URL</code>.
      </p>
    </Notice>
  );
}
