/** What distinguishes two agents that have the same guid. */
export interface Claimant {
  /** The remote address of its link. Undefined: not known. */
  readonly address: string | undefined;
  /** Random, one for each process of Muster's agent. Other agents send none. */
  readonly instanceId: string | undefined;
  /** Which of the links of that process it is: a later one has a greater number. Undefined: not known. */
  readonly linkNumber?: number | undefined;
}

/**
 * Whether a newcomer is another agent than the one that is established under its guid. Two processes are known by their
 * `instanceId`. Where one of the two has sent none, only the addresses of the sockets tell them apart.
 */
export function isAnotherAgent(newcomer: Claimant, established: Claimant): boolean {
  if (newcomer.instanceId !== undefined && established.instanceId !== undefined) {
    return newcomer.instanceId !== established.instanceId;
  }
  if (newcomer.address === undefined || established.address === undefined) return false;
  return newcomer.address !== established.address;
}

/** Whether a link was dialled before another one by the same process. Where either does not say, it is not known: false. */
export function isOlderLink(link: Claimant, other: Claimant): boolean {
  if (link.instanceId === undefined || link.instanceId !== other.instanceId) return false;
  return link.linkNumber !== undefined && other.linkNumber !== undefined && link.linkNumber < other.linkNumber;
}

/** For people. */
export function describeClaimant({ address = 'an unknown address', instanceId }: Claimant): string {
  return instanceId === undefined ? address : `${address} (process ${instanceId})`;
}
