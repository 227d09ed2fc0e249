import { fileURLToPath } from 'node:url';

/** The project's folder, with a `/` at its end. */
export const ROOT = fileURLToPath(new URL('../', import.meta.resolve('#dist/mgmt.js')));
