import type { BlockTree, Chain } from '../../host/index.ts'

/** The chain that a node serves. */
export type NodeChain = Chain & BlockTree
