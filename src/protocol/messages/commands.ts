import { answer, command, decimal, integer, listOf, object, rawList, text, textList } from './schema.js';

/** From a server: how much of the host is in use? */
export const GetHostStatsCommand = command('com.cloud.agent.api.GetHostStatsCommand', {
  hostGuid: text,
  hostName: text,
  hostId: integer,
});
/** The figures of the host. */
export const GetHostStatsAnswer = answer('com.cloud.agent.api.GetHostStatsAnswer', {
  hostStats: object({
    hostId: integer,
    /** `host` */
    entityType: text,
    /** Per cent of all processors. */
    cpuUtilization: decimal,
    /** Of the last minute. */
    averageLoad: decimal,
    /** kB a second. */
    networkReadKBs: decimal,
    /** kB a second. */
    networkWriteKBs: decimal,
    totalMemoryKBs: decimal,
    freeMemoryKBs: decimal,
  }),
});

/**
 * From Muster's agents, after a Ready of a server with the capability `keptAnswers`: what became of commands with an id,
 * whose outcome no server has confirmed.
 */
export const KeptAnswersCommand = command('com.muster.agent.api.KeptAnswersCommand', {
  kept: listOf(
    object({
      commandId: text,
      /** The answers, in the form of a body: `[{"<class>":{fields}}, …]`. `keptMessages` reads them. */
      answers: rawList,
      /** In place of the answers: why the agent cannot say what became of the commands. */
      unknown: text,
    }),
  ),
});
/** The ids whose outcome is stored, or not wanted by anybody. The agent forgets their answers; all others stay kept. */
export const KeptAnswersAnswer = answer('com.muster.agent.api.KeptAnswersAnswer', { taken: textList });

/**
 * From a server, to agents with the capability `commandIds`: the outcomes of these ids are stored, and the agent forgets
 * the answers. Answered by `Answer`.
 */
export const ConfirmAnswersCommand = command('com.muster.agent.api.ConfirmAnswersCommand', { commandIds: textList });
