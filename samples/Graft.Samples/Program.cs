using Graft.Samples;

// dotnet run -c Release --project samples/Graft.Samples -- surgery
switch (args)
{
    case ["surgery"]:
        Surgery.Run(Console.Out);
        return 0;
    case ["finetune", var photos]:
        FineTune.Run(photos, Console.Out);
        return 0;
    case ["train", var photos, var runFolder, var photo]:
        await Train.RunAsync(photos, runFolder, photo);
        return 0;
    default:
        Console.Error.WriteLine("Samples: surgery, finetune PHOTOS, train PHOTOS RUN PHOTO");
        return 2;
}
