// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Stand-in with the shape of USDC: a delegating proxy and an implementation whose balances carry the blacklist in their
/// top bit. In the proxy's storage, slot 8 packs the supply controls and slot 9 holds the balances.
contract FiatTokenProxyLike {
    bytes32 private constant IMPLEMENTATION = 0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3;

    constructor(address implementation) {
        assembly {
            sstore(IMPLEMENTATION, implementation)
        }
    }

    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(IMPLEMENTATION), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}

contract FiatTokenLike {
    uint256[8] private reserved;
    bool public paused;
    mapping(address => uint256) internal balanceAndBlacklistStates;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function transfer(address to, uint256 value) external returns (bool) {
        require(!paused, "Pausable: paused");
        uint256 from = balanceAndBlacklistStates[msg.sender];
        require(from >> 255 == 0, "Blacklistable: account is blacklisted");
        require(balanceAndBlacklistStates[to] >> 255 == 0, "Blacklistable: account is blacklisted");
        require(to != address(0) && value <= from, "ERC20: transfer amount exceeds balance");
        balanceAndBlacklistStates[msg.sender] = from - value;
        uint256 credited = balanceAndBlacklistStates[to] + value;
        require(credited >> 255 == 0, "FiatToken: balance overflow");
        balanceAndBlacklistStates[to] = credited;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}
