using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Sojourn.Storage.Encryption;

namespace Sojourn.AspNetCore.Encryption;

/// <summary>
/// Random keys, a new one every day in every process, that travel with what they sealed: a key's name is the key itself, protected by ASP.NET Core's Data
/// Protection. So there is no place to keep them, Data Protection is asked once for each and not at every request, and its key ring rotates as it likes: it
/// opens with all keys that it has, old ones included. Keys of the application's own open, too.
/// </summary>
internal sealed class DataProtectionKeys(IDataProtectionProvider provider, ISealingKeys given, TimeProvider time) : ISealingKeys
{
    private const int MaxKept = 1000;
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);
    private readonly IDataProtector _protector = provider.CreateProtector("Sojourn.Encryption", "v1");
    private readonly ConcurrentDictionary<string, (byte[] Bytes, long At)> _opened = new(StringComparer.Ordinal);
    private readonly Lock _sync = new();
    private SealingKey? _current;
    private long _madeAt;

    public SealingKey Current
    {
        get
        {
            lock (_sync)
            {
                if (_current is null || time.GetElapsedTime(_madeAt) >= Lifetime)
                {
                    var bytes = RandomNumberGenerator.GetBytes(SessionEncryptionOptionsValidator.KeyLength);
                    _current = new SealingKey(Base64Url.EncodeToString(_protector.Protect(bytes)), bytes);
                    _madeAt = time.GetTimestamp();
                }

                return _current;
            }
        }
    }

    public byte[]? Find(string name)
    {
        if (given.Find(name) is { } ours)
        {
            return ours;
        }

        // Not for longer, since Data Protection may have revoked its key meanwhile.
        if (_opened.TryGetValue(name, out var opened) && time.GetElapsedTime(opened.At) < Lifetime)
        {
            return opened.Bytes;
        }

        if (!Base64Url.IsValid(name) || Unprotect(Base64Url.DecodeFromChars(name)) is not { Length: SessionEncryptionOptionsValidator.KeyLength } bytes)
        {
            return null;
        }

        if (_opened.Count >= MaxKept)
        {
            _opened.Clear();
        }

        _opened[name] = (bytes, time.GetTimestamp());
        return bytes;
    }

    private byte[]? Unprotect(byte[] key)
    {
        try
        {
            return _protector.Unprotect(key);
        }
        catch (CryptographicException e) when (e.InnerException is null)
        {
            // Altered, or by a key that is not in the ring or was revoked. With an inner exception the ring itself could not be read: that is a failure, and
            // nobody is signed out by it.
            return null;
        }
    }
}
