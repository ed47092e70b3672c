import { conflictWorkloads } from './conflicts.ts'
import { manyContracts, manyContractsSorted } from './many_contracts.ts'
import { mixed } from './mixed.ts'
import {
  erc20,
  erc20HotRecipient,
  erc20HotSender,
  erc20Program,
  erc20Zipf,
  usdcTransfers,
  usdtTransfers,
} from './token_payments.ts'
import { transfers } from './transfers.ts'
import { uniswapV2, uniswapV2OnePool } from './uniswap.ts'
import { weth } from './weth.ts'
import type { Workload } from './workload.ts'

/** All workloads, in the order of the report. */
export const WORKLOADS: readonly Workload[] = [
  transfers,
  erc20,
  erc20Program,
  erc20HotSender,
  erc20HotRecipient,
  erc20Zipf,
  usdtTransfers,
  usdcTransfers,
  weth,
  uniswapV2,
  uniswapV2OnePool,
  mixed,
  manyContracts,
  manyContractsSorted,
  ...conflictWorkloads,
]
