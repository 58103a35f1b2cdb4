import { ActionIcon } from '@mantine/core';
import { useState } from 'react';
import { copyText } from '../data/clipboard.js';
import { copyableText } from '../logic/hostile.js';
import { announce } from './announcer.js';
import { Icon } from './icon.js';

/** Copies the text as it is shown: of what nobody would see, or what would do something where it is pasted, the marks. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = async (beside: HTMLElement) => {
    const done = await copyText(copyableText(text), beside);
    setCopied(done);
    announce(done ? `Copied: ${what}` : `Not copied: ${what}. The browser refuses it`);
  };
  const label = copied === false ? `Copy ${what}: the browser refuses it, select it instead` : `Copy ${what}`;
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={label}
      title={label}
      onBlur={() => setCopied(null)}
      onClick={(event) => void copy(event.currentTarget)}
    >
      <Icon name={copied === null ? 'copy' : copied ? 'check' : 'cross'} />
    </ActionIcon>
  );
}
