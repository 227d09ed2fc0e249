export * from './control.js';
export * from './host-list.js';
export * from './keystore.js';
export * from './ping.js';
export {
  answer,
  command,
  type Field,
  type Fields,
  flag,
  type Input,
  integer,
  list,
  type MessageType,
  optionalFlag,
  optionalInteger,
  record,
  type Schema,
  text,
  textList,
} from './schema.js';
export * from './startup.js';
