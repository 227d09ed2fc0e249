import { type Clock, delay } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import { type ApiCall, ApiFailure, Unreachable } from './client.js';

const PATIENCE_MS = 60_000;
const AGAIN_MS = 1_000;

export interface PatientCallParts {
  readonly clock: Clock;
  err(text: string): void;
  /** What the user can do when no server answers. */
  readonly advice: string;
}

/**
 * Calls about a job that goes on whichever server answers: a call that gets no answer, or that the server cannot carry out
 * now, is made again for a minute, since the server may come back, or another one answer at its endpoint.
 * @returns a call that throws ApiFailure, or Unreachable with the advice
 */
export function patientCall(api: ApiCall, { clock, err, advice }: PatientCallParts): ApiCall {
  return async (command, params) => {
    let until: number | undefined;
    for (;;) {
      try {
        return await api(command, params);
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (until === undefined) {
          until = clock.now() + PATIENCE_MS;
          err(`${reasonOf(error)}\ntrying again for ${PATIENCE_MS / 1_000} s …\n`);
        }
        if (clock.now() >= until) throw new Unreachable(`${reasonOf(error)}\n${advice}`, { cause: error });
      }
      await delay(clock, AGAIN_MS);
    }
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiFailure && error.isInternal);
}
