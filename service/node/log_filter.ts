import type { LogFilter, LogView } from './views.ts'

/** A log passes that is of one of the addresses, and has at each position one of the topics. */
export const passes = (log: Pick<LogView, 'address' | 'topics'>, { addresses, topics }: LogFilter): boolean =>
  (addresses.length === 0 || addresses.includes(log.address)) &&
  topics.length <= log.topics.length &&
  topics.every((any, position) => any.length === 0 || any.includes(log.topics[position]!))
