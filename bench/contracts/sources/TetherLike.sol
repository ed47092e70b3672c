// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Stand-in with the shape of USDT: pause flag, blacklist, fee in basis points, no return value.
/// Slot 0 is paused, 1 the supply, 2 balances, 3 the blacklist, 4 the fee rate, 5 the fee cap, 6 the fee receiver.
contract TetherLike {
    bool public paused;
    uint256 public totalSupply;
    mapping(address => uint256) public balances;
    mapping(address => bool) public isBlackListed;
    uint256 public basisPointsRate;
    uint256 public maximumFee;
    address public owner;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function transfer(address to, uint256 value) external {
        require(!paused && !isBlackListed[msg.sender]);
        uint256 fee = value * basisPointsRate / 10000;
        if (fee > maximumFee) fee = maximumFee;
        uint256 sent = value - fee;
        balances[msg.sender] -= value;
        balances[to] += sent;
        if (fee > 0) {
            balances[owner] += fee;
            emit Transfer(msg.sender, owner, fee);
        }
        emit Transfer(msg.sender, to, sent);
    }
}
