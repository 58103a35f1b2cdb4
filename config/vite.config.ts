import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const below = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/**
 * The monitor's page. Its Content-Security-Policy takes scripts and styles from this server's files only: nothing is
 * written into the document, nothing into a `data:` address, and nothing is loaded from elsewhere. All styles are one
 * file, so that a view which is loaded later is never seen without its own.
 */
export default defineConfig({
  root: below('src/monitor'),
  base: '/monitor/',
  publicDir: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'react' } },
  build: {
    outDir: below('dist/monitor'),
    emptyOutDir: true,
    manifest: true,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      onLog(level, log, tell) {
        // Thousands of them, of a word for servers that render React: there is none here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') tell(level, log);
      },
    },
  },
});
