import { createTheme } from '@mantine/core';

/**
 * Colours, sizes and distances stand in variables.css: Mantine would write its own into a `<style>`, which the page's
 * Content-Security-Policy refuses. So nothing here may be of the kind that becomes a variable.
 */
export const theme = createTheme({
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'xs' } },
    TextInput: { defaultProps: { size: 'xs' } },
    PasswordInput: { defaultProps: { size: 'sm' } },
    Textarea: { defaultProps: { size: 'xs' } },
    NativeSelect: { defaultProps: { size: 'xs' } },
    // A text beside it says what is loading.
    Loader: { defaultProps: { type: 'dots', size: 'sm' } },
  },
});
