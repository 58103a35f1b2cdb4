import { Button, TextInput } from '@mantine/core';
import { type SyntheticEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { isUuid } from '../../logic/search-params.js';
import classes from './find-by-id.module.css';

/** Straight to one event, by its id or that of a dead letter of it. */
export function FindById() {
  const [typed, setTyped] = useState('');
  const [wrong, setWrong] = useState(false);
  const [, navigate] = useLocation();
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const id = typed.trim();
    setWrong(!isUuid(id));
    if (isUuid(id)) navigate(`/events/${id.toLowerCase()}`);
  };
  return (
    <form className={classes.form} aria-label="Find by id" onSubmit={submit}>
      <TextInput
        aria-label="Id of an event or of a dead letter"
        placeholder="Id of an event or a letter"
        autoComplete="off"
        error={wrong ? 'Expected a UUID' : undefined}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <Button type="submit" variant="default">
        Open
      </Button>
    </form>
  );
}
