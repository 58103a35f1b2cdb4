import { useId } from 'react';
import classes from './choice.module.css';

export interface ChoiceProps<Value extends string> {
  /** What is chosen, for screen readers. */
  readonly legend: string;
  readonly options: readonly (readonly [value: Value, label: string])[];
  readonly value: Value;
  readonly onChange: (value: Value) => void;
}

/** One of a few, all of them in sight. */
export function Choice<Value extends string>({ legend, options, value, onChange }: ChoiceProps<Value>) {
  const name = useId();
  return (
    <fieldset className={classes.choice}>
      <legend className="unseen">{legend}</legend>
      {options.map(([option, label]) => (
        <label key={option} className={classes.option}>
          <input type="radio" name={name} checked={option === value} onChange={() => onChange(option)} />
          {label}
        </label>
      ))}
    </fieldset>
  );
}
