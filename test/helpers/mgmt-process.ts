import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { enrolmentToken } from '../../scripts/enrolment-token.js';
import { ProgramProcess } from './program-process.js';

const ENTRY = fileURLToPath(import.meta.resolve('#dist/mgmt.js'));

/** The real server, built, in a process of its own. */
export class MgmtProcess extends ProgramProcess {
  constructor(t: Test, cwd: string, args: readonly string[]) {
    super(t, ENTRY, cwd, args);
  }

  /** Resolves when it listens. */
  async port(): Promise<number> {
    const [, port] = await this.says(/Listening for agents.* port=(\d+)/);
    return Number(port);
  }

  /** An enrolment token, made with the key in `data`, the default of `data.dir`. */
  enrolmentToken(uses = 1): Promise<string> {
    return enrolmentToken(join(this.cwd, 'data', 'cloudstack.ini'), { uses });
  }
}

/** A port that somebody has. */
export async function takenPort(t: Test): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
