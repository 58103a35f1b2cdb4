import { ActionIcon } from '@mantine/core';
import { announce } from './announcer.js';
import { Icon } from './icon.js';

/**
 * Copies the text as it is, without the marks that it is shown with. Browsers allow it to pages of https and of this
 * machine.
 */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce(`Copied: ${what}`);
    } catch (error) {
      announce(`Not copied: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const label = window.isSecureContext ? `Copy ${what}` : `Copy ${what}: only over https`;
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={label}
      title={label}
      disabled={!window.isSecureContext}
      onClick={() => void copy()}
    >
      <Icon name="copy" />
    </ActionIcon>
  );
}
