import { ALERT_COMMANDS } from './alerts.js';
import { API_KEY_COMMANDS } from './api-keys.js';
import { API_COMMANDS } from './apis.js';
import { CANARY_COMMANDS } from './canaries.js';
import { CERTIFICATE_COMMANDS } from './certificates.js';
import { CONFIGURATION_COMMANDS } from './configurations.js';
import { ENROLLMENT_COMMANDS } from './enrollment.js';
import { EVENT_COMMANDS } from './events.js';
import { HOST_COMMANDS } from './hosts.js';
import { JOB_COMMANDS } from './jobs.js';
import { LINK_COMMANDS } from './links.js';
import { LOCATION_COMMANDS } from './locations.js';
import { MAINTENANCE_COMMANDS } from './maintenance.js';
import { MOVE_COMMANDS } from './moves.js';
import { PLACEMENT_COMMANDS } from './placements.js';
import { PREVIEW_COMMANDS } from './preview.js';
import { SEND_COMMANDS } from './send.js';
import { SERVER_COMMANDS } from './servers.js';

/**
 * Every command of the HTTP API, by name. Names are CloudStack's where it has the command. A new command is an entry in
 * one of these files, its handler in src/mgmt/http/handlers/, and a line there in index.ts.
 */
export const API = {
  ...SERVER_COMMANDS,
  ...HOST_COMMANDS,
  ...LOCATION_COMMANDS,
  ...CONFIGURATION_COMMANDS,
  ...EVENT_COMMANDS,
  ...ALERT_COMMANDS,
  ...MOVE_COMMANDS,
  ...PLACEMENT_COMMANDS,
  ...API_COMMANDS,
  ...JOB_COMMANDS,
  ...LINK_COMMANDS,
  ...SEND_COMMANDS,
  ...MAINTENANCE_COMMANDS,
  ...PREVIEW_COMMANDS,
  ...CANARY_COMMANDS,
  ...API_KEY_COMMANDS,
  ...CERTIFICATE_COMMANDS,
  ...ENROLLMENT_COMMANDS,
} as const;

export type CommandName = keyof typeof API;

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(API, name);
}
