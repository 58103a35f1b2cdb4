import { Button, NativeSelect, TextInput } from '@mantine/core';
import { type ReactNode, type SyntheticEvent, useState } from 'react';
import { fromLocalInput, toLocalInput } from '../logic/format.js';
import type { Params } from '../logic/search-params.js';
import classes from './filter-bar.module.css';
import { TenantField } from './tenant-field.js';

/** One field of a filter. `tenant`: an empty one is asked for, too: of no tenant. */
export type FilterField<Name extends string> = {
  readonly name: Name;
  readonly label: string;
  readonly hint?: string;
} & (
  | { readonly kind: 'text' | 'time' | 'tenant' }
  | {
      readonly kind: 'select';
      readonly options: readonly (readonly [value: string, label: string])[];
      /** What it means that none is chosen; "Any" unless it is said. */
      readonly unchosen?: string;
    }
);

export interface FilterBarProps<Name extends string> {
  /** "Events": stands in its name for screen readers. */
  readonly what: string;
  readonly fields: readonly FilterField<Name>[];
  /** Behind "More filters". */
  readonly more?: readonly FilterField<Name>[];
  readonly params: Params<Name>;
  /** Only what is asked for; the page is the first one again. */
  readonly onFilter: (params: Params<Name>) => void;
  /** What else stands on its line. */
  readonly children?: ReactNode;
}

/** What a list is filtered by. It stands in the address; typing changes nothing before it is sent. */
export function FilterBar<Name extends string>(props: FilterBarProps<Name>) {
  // Within, names are texts: whose they are is this function's to know.
  return <FilterForm {...(props as unknown as FilterBarProps<string>)} />;
}

type Draft = Readonly<Record<string, string | undefined>>;

function FilterForm({ what, fields, more = [], params, onFilter, children }: FilterBarProps<string>) {
  const all = [...fields, ...more];
  const [shown, setShown] = useState(params);
  const [draft, setDraft] = useState<Draft>(() => draftOf(all, params));
  // Another filter, as by the browser's back.
  if (shown !== params) {
    setShown(params);
    setDraft(draftOf(all, params));
  }
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    onFilter(paramsOf(all, draft));
  };
  const show = (field: FilterField<string>) => (
    <Field
      key={field.name}
      field={field}
      value={draft[field.name]}
      onChange={(value) => setDraft({ ...draft, [field.name]: value })}
    />
  );
  const asked = (some: readonly FilterField<string>[]) => some.some(({ name }) => params[name] !== undefined);
  return (
    <form className={classes.form} aria-label={`Filter: ${what}`} onSubmit={submit}>
      <div className={classes.fields}>
        {fields.map(show)}
        <div className={classes.acts}>
          <Button type="submit" variant="default">
            Filter
          </Button>
          {asked(all) && (
            <Button variant="subtle" onClick={() => onFilter({})}>
              Clear
            </Button>
          )}
          {children}
        </div>
      </div>
      {more.length > 0 && (
        <details open={asked(more)}>
          <summary>More filters</summary>
          <div className={classes.fields}>{more.map(show)}</div>
        </details>
      )}
    </form>
  );
}

interface FieldProps {
  readonly field: FilterField<string>;
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
}

function Field({ field, value, onChange }: FieldProps) {
  const { label, hint } = field;
  switch (field.kind) {
    case 'select':
      return (
        <NativeSelect label={label} value={value ?? ''} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">{field.unchosen ?? 'Any'}</option>
          {field.options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </NativeSelect>
      );
    case 'time':
      return (
        <TextInput
          type="datetime-local"
          step={1}
          label={label}
          value={value ?? ''}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'tenant':
      return <TenantField label={label} value={value} onChange={onChange} />;
    case 'text':
      return (
        <TextInput
          label={label}
          placeholder={hint}
          autoComplete="off"
          value={value ?? ''}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
  }
}

/** As fields show it: a time is local there. */
function draftOf(fields: readonly FilterField<string>[], params: Params<string>): Draft {
  return Object.fromEntries(
    fields.flatMap(({ name, kind }) => {
      const value = params[name];
      return value === undefined ? [] : [[name, kind === 'time' ? toLocalInput(value) : value]];
    }),
  );
}

function paramsOf(fields: readonly FilterField<string>[], draft: Draft): Params<string> {
  return Object.fromEntries(
    fields.flatMap(({ name, kind }) => {
      const typed = draft[name];
      if (typed === undefined) return [];
      const value = kind === 'time' ? fromLocalInput(typed) : kind === 'tenant' ? typed : typed.trim() || null;
      return value === null ? [] : [[name, value]];
    }),
  );
}
