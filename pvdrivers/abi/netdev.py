"""What Linux takes of who carries frames for a network device: TAPs, packet sockets, and what is set of a device.

Ref: Linux include/uapi/linux/{if_tun,if_packet,if,sockios,rtnetlink,if_link,netlink}.h
"""

from pvdrivers.abi.layout import layout

#: struct ifreq: a name and what is told or asked of it, which is an integer here.
IFREQ = layout("ifreq", 8, ifr_name="16s", ifr_flags="h", rest="22s")
#: Bytes of a name, its end included.
IFNAMSIZ = 16
SIOCGIFFLAGS = 0x8913
SIOCGIFMTU = 0x8921
IFF_UP = 1
IFF_RUNNING = 0x40

# linux/if_tun.h
TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
TUNSETVNETHDRSZ = 0x400454D8
IFF_TAP = 2
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
IFF_MULTI_QUEUE = 0x100

# linux/if_packet.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_AUXDATA = 8
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6
PACKET_MREQ = layout("packet_mreq", 8, mr_ifindex="i", mr_type="H", mr_alen="H", mr_address="8s")
TPACKET_AUXDATA = layout(
    "tpacket_auxdata",
    8,
    tp_status="I",
    tp_len="I",
    tp_snaplen="I",
    tp_mac="H",
    tp_net="H",
    tp_vlan_tci="H",
    tp_vlan_tpid="H",
)
ETH_P_ALL = 3
ARPHRD_ETHER = 1

# asm-generic/socket.h
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_RXQ_OVFL = 40

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h
NLMSGHDR = layout("nlmsghdr", 8, nlmsg_len="I", nlmsg_type="H", nlmsg_flags="H", nlmsg_seq="I", nlmsg_pid="I")
IFINFOMSG = layout("ifinfomsg", 8, ifi_family="B", pad="B", ifi_type="H", ifi_index="i", ifi_flags="I", ifi_change="I")
RTATTR = layout("rtattr", 8, rta_len="H", rta_type="H")
RTM_NEWLINK = 16
NLM_F_REQUEST = 1
NLM_F_ACK = 4
NLMSGERR_ATTR_MSG = 1
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
IFLA_ADDRESS = 1
IFLA_MTU = 4
IFLA_MASTER = 10
