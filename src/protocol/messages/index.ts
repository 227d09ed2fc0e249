export * from './commands.js';
export * from './control.js';
export * from './doctor.js';
export * from './host-list.js';
export * from './keystore.js';
export * from './ping.js';
export * from './servers.js';
export * from './startup.js';
