"""How a gateway comes to belong to somebody, and how it leaves. The only code that makes and binds certificates."""
