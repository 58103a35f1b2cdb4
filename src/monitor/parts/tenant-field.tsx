import { TextInput } from '@mantine/core';
import classes from './tenant-field.module.css';

export interface TenantFieldProps {
  readonly label: string;
  /** The empty text: without a tenant; undefined: whichever. */
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
}

/** A tenant; or that there is none, which is not the same as leaving it open. */
export function TenantField({ label, value, onChange }: TenantFieldProps) {
  return (
    <div>
      <TextInput
        label={label}
        autoComplete="off"
        disabled={value === ''}
        value={value ?? ''}
        onChange={(event) => onChange(event.currentTarget.value || undefined)}
      />
      <label className={classes.none}>
        <input
          type="checkbox"
          checked={value === ''}
          onChange={(event) => onChange(event.currentTarget.checked ? '' : undefined)}
        />
        Without a tenant
      </label>
    </div>
  );
}
