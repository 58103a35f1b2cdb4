import './theme/mantine-styles.js';
import './theme/variables.css';
import './theme/base.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { startSession } from './data/sign-in.js';

const root = document.getElementById('root');
if (root === null) throw new Error('Expected an element with the id root');

// First: what the fragment of a link holds is taken out of the address before anything else runs.
void startSession();
createRoot(root).render(<App />);
