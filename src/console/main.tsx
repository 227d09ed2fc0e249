import { render } from 'preact';
import { start } from './live.js';
import { App } from './views/app.js';

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
void start();
