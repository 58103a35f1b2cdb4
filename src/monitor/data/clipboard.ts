/**
 * Puts text on the clipboard; answers whether the browser took it. Its clipboard is there for pages of https and of this
 * machine only; elsewhere the text is selected beside the button for a moment and copied as a person would. Never rejects.
 */
export async function copyText(text: string, beside: HTMLElement): Promise<boolean> {
  if (window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // A browser may be told to refuse it; the other way is another permission.
    }
  }
  return copySelected(text, beside);
}

function copySelected(text: string, beside: HTMLElement): boolean {
  const field = document.createElement('textarea');
  field.className = 'unseen';
  field.readOnly = true;
  field.value = text;
  // Within the same dialog: what is behind one cannot have the focus.
  beside.after(field);
  try {
    field.select();
    return document.execCommand('copy');
  } finally {
    field.remove();
    beside.focus();
  }
}
