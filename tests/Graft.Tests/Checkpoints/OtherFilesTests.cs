using System.IO.Compression;
using System.Text;
using Graft.Testing;

namespace Graft.Tests.Checkpoints;

/// <summary>HDF5 files that would read others. Written by h5py 3.7 and packed by gzip.</summary>
public sealed class OtherFilesTests : IDisposable
{
    private const int PathLength = 120;

    /// <summary>One dataset of 15 numbers in external storage: the file ../../../../../etc/passwd.</summary>
    private const string ExternalStorage = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwom8KHyYfIJUJoRSndA6RVMMHFmsJwEVFwAar4CM6r+kCBXV5Dq/2gAZo8DG4TmYBgFIxF4uDoGgOgIeDqCgBNMqOpyDFHToweF9gpCbUJP1zwMDlB7eIBpUoIhJ7EytSg+LzE3tRgsLgx0AEgpIyMjinsYMdyJPX90sJOWP1ZwjeaP0fyBmT9esNI2fwT7+bswAk2DpbsGZlTzV0D5J1hH44iYcgY9vBDlDC+4nClPzUzPKEEUNKByhg1vOaNfbmUA4jOilDMw+wSgEWfARVw548E7Ws6MljOY5UwAF6o6cKKjYTnzgh01naOn41GAHTACSwtGpIBjhJYIsPKDH6oORjMD5UEyggrywL4BuOXOIM7BIF4PlWcFxghInomJCWwAO4MGmA/BQBJHeWHDABOH2M/MCCtpbNBURtAlPWuglZsKvKjq9PT0kVFqSbJ+QWJxcXkKjvT5gXs0rZEDABAtCZ2QDgAA";

    /// <summary>A virtual dataset of the dataset x in target.h5.</summary>
    private const string VirtualDataset = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwocpFD5MPkEKM0IpTug9AommDgzWE4CKi4ANb9BElV/SJCrK0j1fzQAs+cBK4TmYBgFIxF4uDoGgOgIeDqCgBNMqOqS8/PKDJHSoweF9uJKvw9ITL8WEqPpdzT9ItIvLD11sKKqy04tykvNsTJgQCtXHci0N9jP34URaAos3Skwo5rrAeVnsI7GEf5ygA0SZowwPiQGGRkZUfI1jGYGyoNkBBXkgXUqOOQZxDkYxOuh8qxAlSB5JiYmRog+SLnCwmzBgRxDQlATQTy7HVzZwJpzUISHu7O/DyNSQQxLT57oCbcksSg9tUQvw5ShgoEZSRwEmJD4AlA2jM8OxMe1Ateh2TuBfzQtjoJRMApGwSgYBaNgFIyCUTAKRsEoGAX0AujjShrso2FCDhCEDqCgz5vwQEf8GIEsDgYJhpzEytSi+LzE3NRisLgwI2gMCTH+BBs2gdGwcXCY+ejjfAjzecHml6dmpmeUICwAmc+Bx3zYOCUADVqdOUAaAAA=";

    /// <summary>The group of a layer is an external link; its file is /ttt… with <see cref="PathLength"/> characters.</summary>
    private const string LinkedGroup = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwoMWFD5MPkEKM0IpTug9AommDgrWE4CKi4ANV+BGcqHagwJcnVFNh/dnlEwsoGHq2MAiI6A8jmg9AkmVHWwdBhAJXt5GByg5vIA7ZRgyEmsTC2Kz0vMTS0GiwsDLWQFyTMyotgPo5Pz88oMgTQTPAdgT+FcQNMZkexlY5gAMYfDgRVsRiMDg37JwAAGfZgvGBgAFB4UzTAEAAA=";

    /// <summary>The weight of a layer is such a link.</summary>
    private const string LinkedDataset = "H4sIAAAAAAACA+v0cHHj5ZLiYgABDg4GFgYBBmTwHwoWcKDyYfIJUJoRSndA6RVMMHFmsJwEVFwAar4CM6r+kCBXV5Dq/2gAZo8DG4TmYBgFIxF4uDoGgOgIeDqCgBNMqOqS8/PKDJHSoweF9gpCbUJP1zwMDtD0zQNMkxIMOYmVqUXxeYm5qcVgcWGgA1hB8oyMKPmDEcOdrFjzRwc7hC/BiJw/GHDmj1Ewmj+Q8wesnHzBiqoOlv4CqGRvsJ+/CyPQVJh9Dcyo9qyA8k+wjsYRPoAoT3jB5Ul5amZ6RgmiQAGVJxx4ypPs1KK81BwrAyZ4SYK9pOACmsKIZC8bwwyIORwOHDAzuhgY9EsGBjDogwtGfZhTGAAvu0qjoAgAAA==";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ExternalStorage, "l1/l1/w:0")]
    [InlineData(VirtualDataset, "conv1/kernel:0")]
    public void Values_outside_the_file_are_refused_by_name(string packed, string tensor)
    {
        var message = _folder.OpenFails(Unpack(packed));

        Assert.Contains($"'{tensor}' lie outside", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LinkedGroup, "'conv1'")]
    [InlineData(LinkedDataset, "'kernel:0' of layer 'conv1'")]
    public void Links_into_another_file_are_refused_and_not_followed(string packed, string name)
    {
        var target = _folder.File("target.h5");
        var file = new PureHDF.H5File();
        var layer = new PureHDF.H5Group { ["kernel:0"] = new[] { 1f, 2f } };
        layer.Attributes["weight_names"] = new[] { "kernel:0" };
        file["conv1"] = layer;
        file.Write(target);
        var bytes = Unpack(packed);
        var at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("/" + new string('t', PathLength - 1)));
        Encoding.ASCII.GetBytes(target.Insert(target.LastIndexOf('/') + 1, new string('/', PathLength - target.Length))).CopyTo(bytes, at);

        var message = _folder.OpenFails(bytes);

        Assert.Contains(name, message, StringComparison.Ordinal);
        Assert.Contains("Graft reads the weights file alone", message, StringComparison.Ordinal);
    }

    private static byte[] Unpack(string packed)
    {
        var bytes = new MemoryStream();
        using (var archive = new GZipStream(new MemoryStream(Convert.FromBase64String(packed)), CompressionMode.Decompress)) archive.CopyTo(bytes);
        return bytes.ToArray();
    }
}
