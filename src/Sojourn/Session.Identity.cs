using System.Collections.Immutable;
using Sojourn.Document;

namespace Sojourn;

/// <content>What the session is called, filed and found under, and what becomes of it under another id, or at its end.</content>
public sealed partial class Session
{
    /// <summary>Where the document is remembered that this request leaves to the next one, under the key as it is.</summary>
    internal KnownSession? Known { get; set; }

    /// <summary>Whether the session goes by this id, asked without looking at it on anybody's behalf.</summary>
    internal bool IsCalled(string? id) => string.Equals(_id, id, StringComparison.Ordinal);

    internal string Key
    {
        get
        {
            if (Volatile.Read(ref _key) is { } known)
            {
                return known;
            }

            lock (_sync)
            {
                return _key ??= _operations.KeyOf(_id ??= NewId());
            }
        }
    }

    /// <summary>What events call the session, asked without looking at it on anybody's behalf.</summary>
    internal string? KnownHandle
    {
        get
        {
            lock (_sync) return Metadata.Handle;
        }
    }

    /// <summary>Whom events say it belongs to, asked likewise.</summary>
    internal string? KnownSubject
    {
        get
        {
            lock (_sync) return Metadata.Subject;
        }
    }

    internal void MarkEnded()
    {
        lock (_sync)
        {
            State = SessionState.Ended;
            WatchGone();
        }
    }

    internal void MarkDestroyed()
    {
        lock (_sync)
        {
            State = SessionState.Destroyed;
            _watch?.Fire();
            if (Record is not null)
            {
                DestroyedCookie ??= CookieJson.Parse((SessionDocument.Of(Record) ?? new SessionDocument()).Cookie.Span, _operations.Time);
            }

            DropPending();
            _document = new SessionDocument();
            LeaveKnown();
        }
    }

    /// <summary>Begins an empty session under a new id in place of this one.</summary>
    internal void BeginAnew()
    {
        lock (_sync)
        {
            MarkDestroyed();
            State = SessionState.Live;
            _isRegenerated = _operations.Options.IsExpress;
            _hasCommitted = false;
            Record = null;
            IsVersionUnknown = false;
            KnownIsNew = true;
            Failure = null;
            _cookie = null;
            _cookieSeen = null;
            _id = NewId();
            _key = null;
            _watch = null;
        }
    }

    /// <summary>Takes the new id; the record, if there is one, has been created under it.</summary>
    internal void TakeId(string id, string key)
    {
        lock (_sync)
        {
            _id = id;
            _key = key;
            LeaveKnown();
        }
    }

    /// <summary>Nothing of the session is to be found any more by the id that it had.</summary>
    private void LeaveKnown()
    {
        Known?.Document = null;
        Known = null;
    }

    /// <summary>What the record is found by. Whoever acts as another subject is found by both.</summary>
    /// <param name="isNew">Whether nobody can know the handle yet, so that nobody can have ended the session by it.</param>
    internal ImmutableArray<string> Labels(bool isNew = false)
    {
        lock (_sync)
        {
            return LabelsUnlocked(isNew);
        }
    }

    private ImmutableArray<string> LabelsUnlocked(bool isNew = false)
    {
        var metadata = Metadata;
        if (metadata.Subject is null && metadata.Handle is null)
        {
            return [];
        }

        var labels = ImmutableArray.CreateBuilder<string>();
        if (metadata.Subject is { } subject)
        {
            labels.Add(SessionLabels.Subject(subject));
        }

        if (metadata.Handle is { } handle && !isNew)
        {
            labels.Add(SessionLabels.Handle(handle));
        }

        labels.AddRange(metadata.Labels);
        if (metadata.Actor is { } actor)
        {
            labels.Add(SessionLabels.Subject(actor.Subject));
            labels.AddRange(actor.Labels);
        }

        return labels.DrainToImmutable();
    }
}
