using Graft.Data;

namespace Graft.Tests.Data;

public sealed class TrainingDataCheckTests : IDisposable
{
    private readonly PhotoFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Leaks_and_contradictions_are_counted_by_content()
    {
        PutMany("train/cat", 30);
        PutMany("train/dog", 30);
        foreach (var part in (string[])["val", "test"])
        {
            PutMany($"{part}/cat", 5);
            PutMany($"{part}/dog", 5);
        }
        _folder.Put("train/cat/a.jpg", "leaked cat");
        _folder.Put("test/cat/b.jpg", "leaked cat");
        _folder.Put("train/cat/c.jpg", "cat or dog");
        _folder.Put("train/dog/d.jpg", "cat or dog");
        _folder.Put("train/dog/e.jpg", "copied dog");
        _folder.Put("train/dog/f.jpg", "copied dog");

        var check = Check();

        Assert.Equal((1, 2), (check.Leaks, check.Contradictions));
        Assert.Equal(
            [
                "LEAK: 1 photo of validation or test is in training too, byte for byte. Reported scores will be optimistic.",
                "2 photos are byte-for-byte copies of a photo with another label. One of the labels is wrong.",
            ],
            check.Warnings);
        Assert.Empty(check.Notes);
    }

    [Fact]
    public void Test_photos_that_validate_leak_too()
    {
        PutMany("train/cat", 30);
        PutMany("train/dog", 30);
        foreach (var part in (string[])["val", "test"])
        {
            _folder.Put($"{part}/cat/1.jpg", "the same cat");
            _folder.Put($"{part}/dog/1.jpg", $"a dog to {part}");
        }
        Assert.Equal(1, Check().Leaks);
    }

    [Fact]
    public void Small_classes_are_named_and_clean_data_says_nothing()
    {
        PutMany("train/cat", 30);
        PutMany("train/dog", 19);
        PutMany("train/eel", 3);
        PutMany("val/cat", 2);

        var check = Check();
        Assert.Equal(
            "Few photos to train on: eel 3, dog 19. Scores of classes with fewer than 20 photos are rough.", Assert.Single(check.Notes));
        Assert.Empty(check.Warnings);

        PutMany("train/dog", 20);
        PutMany("train/eel", 20);
        Assert.Empty(Check().Notes);
    }

    private TrainingDataCheck Check() => TrainingDataCheck.Of(_folder.Load(), TestContext.Current.CancellationToken);

    private void PutMany(string folder, int count)
    {
        for (var number = 0; number < count; number++) _folder.Put($"{folder}/{number:D3}.jpg", $"{folder} {number}");
    }
}
