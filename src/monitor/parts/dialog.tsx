import { ActionIcon } from '@mantine/core';
import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import classes from './dialog.module.css';
import { Icon } from './icon.js';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  /** For what is wide: two payloads side by side. */
  readonly wide?: boolean;
  readonly children: ReactNode;
}

/**
 * The browser's own dialog: it keeps the focus, makes the page behind it inert, ends with Escape and gives the focus
 * back. A click beside it does not end it, for there may be a reason written in it.
 */
export function Dialog({ title, onClose, wide = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Before the element is taken out of the document: only then the focus goes back.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={wide ? classes.wide : classes.dialog}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // A browser may end it without asking, as on a second Escape.
      onClose={() => dialog.current?.open === false && onClose()}
    >
      <div className={classes.body}>
        <h2 id={heading}>{title}</h2>
        {children}
        {/* The last in order, so that the first field has the focus. */}
        <ActionIcon className={classes.close} variant="subtle" color="gray" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </ActionIcon>
      </div>
    </dialog>
  );
}
