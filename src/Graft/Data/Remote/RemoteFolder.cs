using Graft.Data.Collections;
using Graft.Imaging;

namespace Graft.Data.Remote;

/// <summary>What lies below a prefix of a bucket, or what a list on a web server names: a folder of photos and collections, listed once.</summary>
internal sealed class RemoteFolder : PhotoCollection
{
    private readonly List<ObjectFacts> _facts = [];

    private RemoteFolder(string place, IEnumerable<(string Name, ObjectFacts Facts)> objects)
        : base(place)
    {
        foreach (var (name, facts) in objects)
            if (Add(name, facts.Bytes)) _facts.Add(facts);
    }

    /// <exception cref="DataException">There is nothing below the prefix.</exception>
    /// <exception cref="RemoteException">It cannot be listed.</exception>
    public static RemoteFolder OfPrefix(string place)
    {
        var objects = ObjectStore.Of(place).List(place);
        return objects.Count > 0 ? new(place, objects) : throw new DataException($"There are no objects below '{place}/'. Check the bucket and the prefix, upper and lower case included.");
    }

    /// <summary>Reads a list, a path a line, seen from where the list lies.</summary>
    /// <exception cref="DataException">It names nothing, or what lies elsewhere.</exception>
    /// <exception cref="FileNotFoundException">There is no such list.</exception>
    /// <exception cref="RemoteException">It cannot be read.</exception>
    public static RemoteFolder OfList(string list)
    {
        const int mostBytes = 1 << 30;
        var folder = RemotePlace.Parent(list);
        var names = new List<(string, ObjectFacts)>();
        using MemoryStream content = new(ObjectStore.Of(list).Read(list, expected: null, mostBytes).Content, writable: false);
        using StreamReader lines = new(content);
        while (lines.ReadLine() is { } line)
        {
            line = line.Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            var place = RemotePlace.Combine(folder, line);
            if (!place.StartsWith($"{folder}/", StringComparison.Ordinal))
                throw new DataException($"'{list}' names '{place}', which does not lie below '{folder}/'. In a list, folders say the classes; name photos of other places in a table of path and label.");
            names.Add((place[(folder.Length + 1)..], default));
        }
        return names.Count > 0 ? new(folder, names) : throw new DataException($"'{list}' names no photos. Expected a path a line, seen from '{folder}/'.");
    }

    public override IReadOnlyDictionary<string, string>? Labels(string? column, DataFindings findings) => null;

    /// <summary>Of one of its objects.</summary>
    public ObjectFacts FactsOf(string name) => Number(name) is { } number ? _facts[number] : default;

    protected override byte[] Read(int number)
    {
        var place = $"{Path}/{Members[number].Name}";
        return ObjectStore.Of(place).Read(place, _facts[number].Bytes, DecodingOptions.Default.MaxFileBytes).Content;
    }
}
