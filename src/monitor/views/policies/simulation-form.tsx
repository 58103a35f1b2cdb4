import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type SyntheticEvent, useState } from 'react';
import { ERROR_CODES } from '../../../domain/delivery/error-catalog.js';
import { type Query, simulationQuery } from '../../data/queries.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import classes from './simulation-form.module.css';
import { SimulationResult } from './simulation-result.js';

/** An event that always fails in one way: its attempts, by what decides in production. */
export function SimulationForm({ types }: { readonly types: readonly string[] }) {
  const [eventType, setEventType] = useState('*');
  const [code, setCode] = useState<string>('HTTP.SERVER_ERROR');
  const [seed, setSeed] = useState('1');
  const [attemptMs, setAttemptMs] = useState('0');
  const [retryAfter, setRetryAfter] = useState('');
  const [asked, setAsked] = useState<Query | null>(null);
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    setAsked({
      eventType: eventType === '*' ? undefined : eventType,
      code,
      seed: seed.trim(),
      attemptMs: attemptMs.trim(),
      retryAfter: retryAfter.trim() === '' ? undefined : retryAfter.trim(),
    });
  };
  return (
    <Card title="Simulate failures">
      <form className={classes.form} aria-label="Simulation" onSubmit={submit}>
        <NativeSelect
          label="Event type"
          data={[...types]}
          value={eventType}
          onChange={(event) => setEventType(event.currentTarget.value)}
        />
        <NativeSelect
          label="It fails by"
          data={[...ERROR_CODES]}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <NumberText label="An attempt takes (ms)" value={attemptMs} onChange={setAttemptMs} />
        <NumberText label="Retry-After (s)" value={retryAfter} onChange={setRetryAfter} />
        <NumberText label="Seed of chance" value={seed} onChange={setSeed} />
        <Button type="submit" className={classes.act}>
          Simulate
        </Button>
      </form>
      {asked !== null && <Result asked={asked} />}
    </Card>
  );
}

interface NumberTextProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function NumberText({ label, value, onChange }: NumberTextProps) {
  return (
    <TextInput
      label={label}
      inputMode="numeric"
      autoComplete="off"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function Result({ asked }: { readonly asked: Query }) {
  const query = useQuery(simulationQuery(asked));
  return (
    <Answer query={query} what="The simulation">
      {(simulation) => <SimulationResult simulation={simulation} />}
    </Answer>
  );
}
