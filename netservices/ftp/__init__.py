"""FTP: files over a control connection and one data connection for each transfer.

``twistd -n netservices --ftp`` serves the home directories of the accounts, and
``pub/`` to anonymous users, on port 21 (with TLS by AUTH) and port 990 (TLS from the
first octet); options are those of ``netservices.ftp.settings.FTPSettings``.

============================================  =========  ==============================
RFC                                           state      what is missing
============================================  =========  ==============================
854 TELNET                                    partial    what RFC 959 needs of it
959 File Transfer Protocol                    done       but for STRU P, TYPE L of
                                                         other sizes, SMNT
1122 Requirements for Internet Hosts          done       what concerns closing
1123 4.1 Requirements for Internet Hosts      done       page structure, which it does
                                                         not recommend
1635 How to Use Anonymous FTP                 done
1639 FTP Over Big Address Records             not        LPRT and LPSV; RFC 2428 has
                                                         replaced them
2228 FTP Security Extensions                  done       TLS is the one mechanism
2389 Feature negotiation (FEAT, OPTS)         done
2428 IPv6 and NAT (EPRT, EPSV)                done
2577 FTP Security Considerations              done
2640 Internationalization                     done       replies in English only; names
                                                         are octets, UTF-8 or not
3659 Extensions (MLST, REST, SIZE, MDTM)      done
4217 Securing FTP with TLS                    done
7151 HOST                                     done
8446 TLS 1.3                                  done       what concerns tickets (C.4)
9293 TCP                                      done       what concerns the end of a
                                                         stream
============================================  =========  ==============================
"""
