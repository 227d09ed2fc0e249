import { type ApiCommands, LIST_PARAMS, string, uuid } from '../table.js';

const ZONE = {
  id: string('the id of the zone'),
  name: string('its name'),
  allocationstate: string('Enabled'),
} as const;

const POD = {
  id: string('the id of the pod'),
  name: string('its name'),
  zoneid: string('the id of its zone'),
  zonename: string('the name of its zone'),
  allocationstate: string('Enabled'),
} as const;

const CLUSTER = {
  id: string('the id of the cluster'),
  name: string('its name'),
  podid: string('the id of its pod'),
  podname: string('the name of its pod'),
  zoneid: string('the id of its zone'),
  zonename: string('the name of its zone'),
  allocationstate: string('Enabled'),
} as const;

export const LOCATION_COMMANDS = {
  listZones: {
    description: 'Lists the zones that agents have named',
    forReaders: true,
    params: { id: uuid('only this zone'), name: string('only the zone with this name'), ...LIST_PARAMS },
    response: { kind: 'list', object: 'zone', fields: ZONE },
    columns: ['name', 'id'],
  },
  listPods: {
    description: 'Lists the pods that agents have named',
    forReaders: true,
    params: {
      id: uuid('only this pod'),
      name: string('only pods with this name'),
      zoneid: uuid('only pods of this zone'),
      ...LIST_PARAMS,
    },
    response: { kind: 'list', object: 'pod', fields: POD },
    columns: ['name', 'zonename', 'id'],
  },
  listClusters: {
    description: 'Lists the clusters that agents have named',
    forReaders: true,
    params: {
      id: uuid('only this cluster'),
      name: string('only clusters with this name'),
      zoneid: uuid('only clusters of this zone'),
      podid: uuid('only clusters of this pod'),
      hypervisor: string('only clusters that have a host with this hypervisor'),
      arch: string('only clusters that have a host with this architecture'),
      ...LIST_PARAMS,
    },
    response: { kind: 'list', object: 'cluster', fields: CLUSTER },
    columns: ['name', 'podname', 'zonename', 'id'],
  },
} as const satisfies ApiCommands;
